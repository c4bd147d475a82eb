import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Debian's kernel, unpacked by scripts/setup and not installed: this machine goes on booting what it booted. */
export interface Kernel {
  readonly version: string
  readonly image: string
  /** A root below which lib/modules/VERSION lies. */
  readonly root: string
}

export const labFolder = '.lab'

export function findKernel(): Kernel {
  const root = join(labFolder, 'kernel')
  const image =
    existsSync(join(root, 'boot')) && readdirSync(join(root, 'boot')).find(name => name.startsWith('vmlinuz-'))
  if (!image) throw new Error(`no kernel in ${root}: scripts/setup lab gets it`)
  return { version: image.slice('vmlinuz-'.length), image: join(root, 'boot', image), root }
}

/** The files of these modules and of all that they need, each after those it needs (modprobe(8)). */
export function moduleFiles({ version, root }: Kernel, names: readonly string[]): string[] {
  const files = names.flatMap(name => {
    const args = ['-d', root, '-S', version, '--show-depends', name]
    const { status, stdout, stderr } = spawnSync('modprobe', args, { encoding: 'utf8', env: searchPath() })
    if (status !== 0) throw new Error(`modprobe ${args.join(' ')}: ${stderr}`)
    return [...stdout.matchAll(/^insmod (\S+)/gm)].map(([, file]) => file ?? '')
  })
  return [...new Map(files.map(file => [basename(file), file])).values()]
}

/** The tools of an administrator are not on every user's path. */
export const searchPath = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` })
