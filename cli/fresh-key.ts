import ssh2 from 'ssh2'

/** Both halves in the forms of OpenSSH. */
export interface KeyPair {
  readonly public: string
  readonly private: string
}

type Generate = () => KeyPair

/**
 * A fresh ed25519 key. ssh2 drops leading zero bytes of a public key, so that one in 256 of those that it generates cannot be
 * read by anybody (1.17.0, lib/keygen.js); such a key is thrown away.
 */
export function freshKey(generate: Generate = () => ssh2.utils.generateKeyPairSync('ed25519')): KeyPair {
  for (;;) {
    const key = generate()
    if (readable(key.private) && readable(key.public)) return key
  }
}

const readable = (text: string): boolean => !(ssh2.utils.parseKey(text) instanceof Error)
