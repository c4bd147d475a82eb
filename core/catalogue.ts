/**
 * Every error that rpmem can raise: what the code means, what to do, and the errno that librpmem sets for the same condition
 * where it has one: all that goes wrong before the daemon's first word is ECONNRESET there. docs/errors.md and `rpmem explain`
 * are printed from this table.
 */
export interface CatalogueEntry {
  readonly meaning: string
  readonly remedy: string
  readonly errno?: number
}

export const errno = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  EFBIG: 27,
  ENOSPC: 28,
  EPROTO: 71,
  EILSEQ: 84,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EREMOTEIO: 121,
  ENOMEDIUM: 123,
  EMEDIUMTYPE: 124,
  ECANCELED: 125,
} as const

export const catalogue = {
  // Arguments and states
  ERR_ARGUMENT: {
    meaning: 'An argument has the wrong type or lies outside its range.',
    remedy: 'The facts name the argument and what it must be.',
    errno: errno.EINVAL,
  },
  ERR_RANGE: {
    meaning: 'Offset and length do not lie inside the pool.',
    remedy: 'Offsets and lengths are bytes; offset + length must not pass the size of the pool.',
    errno: errno.EINVAL,
  },
  ERR_HEADER_PROTECTED: {
    meaning: 'The range touches the header page, which belongs to the library.',
    remedy: 'Through RemotePool the first 4096 bytes of a pool with headers cannot be persisted; begin at offset 4096.',
    errno: errno.EINVAL,
  },
  ERR_LANE_RANGE: {
    meaning: 'There is no lane of that number.',
    remedy: 'Use a lane from 0 to laneCount - 1; the target may have granted fewer lanes than were asked for.',
    errno: errno.EINVAL,
  },
  ERR_CLOSED: {
    meaning: 'The object was closed before this call, or while it was under way.',
    remedy: 'Await what is pending before close(), and do not use the object afterwards.',
    errno: errno.EBADF,
  },
  ERR_THREAD: {
    meaning: 'Only the thread that opened the pool can do this.',
    remedy: 'Ask that thread, by a message for instance.',
    errno: errno.EPERM,
  },
  ERR_ABORTED: {
    meaning: 'The caller aborted the wait through its AbortSignal.',
    remedy: 'What was already sent may still become durable; persist the range again to be certain.',
    errno: errno.ECANCELED,
  },
  ERR_LAYOUT_RANGE: {
    meaning: 'A number in foreign bytes is larger than this program can hold exactly (2^53 - 1).',
    remedy: 'The bytes are damaged or were written by something else.',
    errno: errno.EPROTO,
  },
  ERR_LAYOUT_TRUNCATED: {
    meaning: 'Foreign bytes end before the structure that they should hold.',
    remedy: 'The bytes are damaged or were cut off.',
    errno: errno.EPROTO,
  },

  // Pool set files
  ERR_POOLSET_SYNTAX: {
    meaning: 'The pool set file does not follow its grammar.',
    remedy: 'Each mistake is listed with its line and column; `rpmem poolset check FILE` shows them again.',
    errno: errno.EINVAL,
  },
  ERR_POOLSET_MISSING: {
    meaning: 'There is no pool set file of that name.',
    remedy: 'Check the name; on a target it is looked up below the poolset-dir of rpmemd.',
    errno: errno.ENOENT,
  },
  ERR_POOLSET_UNREADABLE: {
    meaning: 'The pool set file cannot be read.',
    remedy: 'Give the user that runs the program read permission.',
    errno: errno.EACCES,
  },
  ERR_POOLSET_OUTSIDE: {
    meaning: 'The name of the pool set leads out of the poolset-dir of the target.',
    remedy: 'Use a relative name without `..`; symbolic links that leave the directory are refused.',
    errno: errno.EINVAL,
  },
  ERR_POOLSET_UNSUITABLE: {
    meaning: 'The pool set is well formed but cannot be used for this purpose.',
    remedy: 'The message says which rule it breaks; a set on a target must not contain REPLICA lines.',
    errno: errno.EINVAL,
  },
  ERR_POOLSET_CONVERSION: {
    meaning: 'The pool set cannot be written in the notation asked for.',
    remedy: 'The message names the value that the notation cannot express.',
    errno: errno.EINVAL,
  },

  // Parts and headers
  ERR_RESERVATION: {
    meaning: 'The pool has grown to the end of the address space that its directories reserve.',
    remedy: 'Close the pool, write larger sizes behind the directories in the pool set, and open it again.',
    errno: errno.ENOMEM,
  },
  ERR_PART_MISSING: {
    meaning: 'A part that the pool set names does not exist.',
    remedy: 'Create the pool first, or correct the path in the pool set.',
    errno: errno.ENOENT,
  },
  ERR_PART_EXISTS: {
    meaning: 'A part to be created already holds a header.',
    remedy: 'Remove the old pool first (`rpmem rm`), or open it instead of creating it.',
    errno: errno.EEXIST,
  },
  ERR_PART_SIZE: {
    meaning: 'A part is too small, or its size differs from that in the pool set.',
    remedy: 'Parts hold at least 2 MiB, and an existing part must have exactly the size of its line.',
    errno: errno.EINVAL,
  },
  ERR_PART_ACCESS: {
    meaning: 'A part cannot be read or written.',
    remedy: 'Check owner and mode of the file and of the directories above it.',
    errno: errno.EACCES,
  },
  ERR_PART_IO: {
    meaning: 'The operating system failed to open, size or read a part.',
    remedy: 'The cause holds the system error.',
    errno: errno.EIO,
  },
  ERR_DISK_FULL: {
    meaning: 'The file system has no room for the parts.',
    remedy: 'Free space or place the parts elsewhere; nothing that this attempt created was left behind.',
    errno: errno.ENOSPC,
  },
  ERR_POOL_BUSY: {
    meaning: 'A part is locked: another process has the pool open.',
    remedy: 'Close the other user; a lock disappears with its process.',
    errno: errno.EBUSY,
  },
  ERR_POOL_SIZE: {
    meaning: 'The pool is smaller or larger than what was asked for.',
    remedy: 'A replica must be at least as large as the memory that is mirrored to it.',
    errno: errno.EFBIG,
  },
  ERR_HEADER_INVALID: {
    meaning: 'A part header is not that of a pool, is damaged, or does not belong to its neighbours.',
    remedy: 'The facts name the part and the field; restore the part from a good replica.',
    errno: errno.EINVAL,
  },
  ERR_ATTRIBUTES: {
    meaning: 'The pool attributes and the options of the pool set contradict each other.',
    remedy: 'NOHDRS takes no attributes, every other pool needs them, and the SINGLEHDR bit must equal the option.',
    errno: errno.EINVAL,
  },
  ERR_SHUTDOWN_STATE: {
    meaning: 'The pool was open when its device lost power without flushing; its content may be damaged.',
    remedy: 'Verify the pool against a replica before it is used again.',
    errno: errno.EINVAL,
  },

  // Memory
  ERR_MAP: {
    meaning: 'The parts cannot be mapped into memory.',
    remedy: 'The cause holds the system error; check the limits on address space and the size of the parts.',
    errno: errno.ENOMEM,
  },
  ERR_TRACKING: {
    meaning: 'The way in which changed pages are to be found is not to be had on this machine.',
    remedy: 'The facts give the reason for each; ask for none, and the best that there is is taken.',
    errno: errno.EOPNOTSUPP,
  },
  ERR_POOL_TRUNCATED: {
    meaning: 'A file under the mapping shrank or its storage failed: a page could not be read or written (SIGBUS).',
    remedy: 'The local copy is no longer trustworthy; close the pool and restore it from a replica.',
    errno: errno.EIO,
  },
  ERR_POOL_POISONED: {
    meaning: 'An earlier attempt to make a range durable failed, so pages of this replica can no longer be trusted.',
    remedy: 'Close the pool, mend the storage and compare the replicas.',
    errno: errno.EIO,
  },
  ERR_MSYNC: {
    meaning: 'The storage refused to make a range durable.',
    remedy: 'The cause holds the system error; the replica counts as failed from now on.',
    errno: errno.EIO,
  },
  ERR_UNPERSISTED: {
    meaning: 'Bytes of the pool were stored to and never persisted; a crash or another replica may not have them.',
    remedy:
      'Persist each range after storing to it. pool.findUnpersisted() tells the pages and bytes while the pool is open.',
  },
  ERR_NATIVE_MISSING: {
    meaning: 'The native addon cannot be loaded.',
    remedy:
      'If the file is missing, run `npm run build` (on Debian with libpmem2-dev and libfabric-dev); if the reason names a library, install it (libpmem2-1).',
  },

  // Volatile heap
  ERR_HEAP_EXHAUSTED: {
    meaning: 'The heap has no room for a block of that size.',
    remedy: 'Free blocks or use a larger pool; the heap stays usable, and smaller blocks may still fit.',
    errno: errno.ENOMEM,
  },
  ERR_HEAP_POINTER: {
    meaning: 'No block of this heap begins there.',
    remedy: 'Pass what malloc and its kin of the same pool returned: the very Buffer, or the very offset.',
    errno: errno.EINVAL,
  },
  ERR_HEAP_FREED: {
    meaning: 'The block is not in use: it was freed before.',
    remedy: 'Find the earlier free; nothing was changed by this one.',
    errno: errno.EINVAL,
  },
  ERR_HEAP_SIZE: {
    meaning: 'A pool or region of that size cannot hold a heap.',
    remedy: 'The facts name the least and, where there is one, the most.',
    errno: errno.EINVAL,
  },
  ERR_HEAP_OVERLAP: {
    meaning: 'Another open heap lies in that region.',
    remedy: 'Close it first, or choose a region that does not overlap.',
    errno: errno.EBUSY,
  },
  ERR_HEAP_DAMAGED: {
    meaning: 'The region does not hold a heap that was left in order.',
    remedy: 'Something wrote over its tables, or it was never a heap; what it held cannot be trusted.',
    errno: errno.EINVAL,
  },
  ERR_VMEM_CREATE: {
    meaning: 'The file of a volatile pool cannot be created.',
    remedy: 'The cause holds the system error; the directory must exist and be writable.',
    errno: errno.EINVAL,
  },

  // Arena
  ERR_ARENA_BUSY: {
    meaning: 'The data file or the log of the arena is locked: it is open already, in this process or another.',
    remedy: 'Close the other user; a lock disappears with its process.',
    errno: errno.EBUSY,
  },
  ERR_ARENA_MISSING: {
    meaning: 'One of the two files of the arena is not there, and the other one is nothing without it.',
    remedy: 'Bring the missing file back. A data file that was recovered (`rpmem arena recover`) needs no log.',
    errno: errno.ENOENT,
  },
  ERR_ARENA_FOREIGN: {
    meaning: 'A file is not what it was named as: no arena, or the log of another arena.',
    remedy: 'Check both paths. Nothing was written to the files.',
    errno: errno.EINVAL,
  },
  ERR_ARENA_DAMAGED: {
    meaning: 'The files do not hold what was made durable in them.',
    remedy:
      '`rpmem arena check` lists what is damaged and which checkpoints are whole; `rpmem arena recover --at N` goes back to one of them.',
    errno: errno.EILSEQ,
  },
  ERR_ARENA_IO: {
    meaning: 'The operating system failed to open, read or write a file of the arena.',
    remedy: 'The cause holds the system error. After a failed write the arena must be opened anew.',
    errno: errno.EIO,
  },
  ERR_ARENA_POISONED: {
    meaning: 'An earlier write to the log or the data file failed, so nothing that this arena writes can be relied on.',
    remedy: 'Close it, mend the storage and open it again: it is at its last durable checkpoint then.',
    errno: errno.EIO,
  },
  ERR_CHECKPOINT_UNKNOWN: {
    meaning: 'There is no such checkpoint among those that are kept.',
    remedy: '`arena.checkpoints` and `rpmem arena log` list them; `keep` says how many there are.',
    errno: errno.EINVAL,
  },

  // Fabric
  ERR_LIBFABRIC_MISSING: {
    meaning: 'libfabric.so.1 cannot be loaded.',
    remedy: 'Install libfabric (Debian: apt install libfabric1).',
    errno: errno.ENOMEDIUM,
  },
  ERR_NO_PROVIDER: {
    meaning: 'The two ends have no fabric provider in common.',
    remedy: 'The facts list each candidate and why it was passed over.',
    errno: errno.ENOMEDIUM,
  },
  ERR_FABRIC: {
    meaning: 'libfabric failed.',
    remedy: 'The facts hold the call and the fi_errno.',
    errno: errno.EIO,
  },
  ERR_LOCKED_MEMORY: {
    meaning: 'The limit on locked memory does not allow the pool to be registered for RDMA.',
    remedy: 'Raise RLIMIT_MEMLOCK (`ulimit -l`, limits.conf or LimitMEMLOCK=) to at least the size of the pool.',
    errno: errno.ENOMEM,
  },
  ERR_MEMORY_UNPINNABLE: {
    meaning: 'An RDMA device cannot reach the pool: Linux does not pin the pages of the file system that holds it.',
    remedy:
      'Put the pool on a device DAX or let TCP carry it: pages of a file system with DAX are never pinned, those of a file on ' +
      'a disk not since Linux 6.5.',
    errno: errno.EOPNOTSUPP,
  },
  ERR_PORT_UNREACHABLE: {
    meaning: 'The data port of the target cannot be reached.',
    remedy: 'Open the port range of the target in its firewall; SSH alone is not enough for the data path.',
    errno: errno.EREMOTEIO,
  },
  ERR_IN_BAND_REFUSED: {
    meaning: 'The target refused an in-band connection.',
    remedy: 'The connection did not present the secret of its session, or came from another address.',
    errno: errno.EREMOTEIO,
  },
  ERR_TARGET_LOST: {
    meaning: 'The connection to the target broke while the pool was in use.',
    remedy: 'Find out why the target ended (its log, its kernel log), then open the pool again.',
    errno: errno.ECONNRESET,
  },
  ERR_DEADLINE: {
    meaning: 'The target did not answer before the deadline.',
    remedy: 'The target is stopped, overloaded or cut off; the state of the range on it is unknown.',
    errno: errno.ETIMEDOUT,
  },
  ERR_TARGET_STORAGE: {
    meaning: 'The target received the range but could not make it durable.',
    remedy: 'The facts hold the error of the target; its replica counts as failed.',
    errno: errno.EIO,
  },
  ERR_PERSIST: {
    meaning: 'Not every required replica has confirmed the range.',
    remedy: 'The causes name the replicas; `durability` says what is certain.',
    errno: errno.EIO,
  },
  ERR_CONGESTED: {
    meaning: 'As many persists are under way as the policy allows, and this one was not begun.',
    remedy: 'Await some of them before the next, raise `mostPending`, or let `onCongestion` be block.',
    errno: errno.EAGAIN,
  },

  // Generations
  ERR_RECORD: {
    meaning: 'The record that says what a copy of a pool has been through cannot be read.',
    remedy:
      'It lies beside the pool set, with the ending .record. Restore it, or remove it: the copy then counts as unknown and is compared as a whole.',
    errno: errno.EIO,
  },
  ERR_COPY_DIFFERS: {
    meaning: 'A copy that was made does not show the checksums of what it was made of.',
    remedy: 'Another program writes to one of the two, or a disk or a memory is failing. The copy counts for nothing.',
    errno: errno.EIO,
  },
  ERR_REPLICA_AHEAD: {
    meaning: 'The replica has been written to since this copy was last in step with it; this copy is the old one.',
    remedy: 'Bring this copy up to date from the replica, or decide for this one explicitly.',
    errno: errno.EPERM,
  },
  ERR_REPLICA_DIVERGED: {
    meaning: 'Both this copy and the replica were written to, each without the other.',
    remedy: 'Decide which of the two is to be kept; nothing is overwritten until then.',
    errno: errno.EPERM,
  },
  ERR_REPLICA_STRANGER: {
    meaning: 'The replica holds another pool.',
    remedy: 'Check node and pool set of the REPLICA line.',
    errno: errno.EPERM,
  },

  // SSH
  ERR_ADDRESS: {
    meaning: 'The target address is not of the form [user@]host[:port].',
    remedy: 'Write IPv6 addresses with a port in brackets: user@[2001:db8::1]:22.',
    errno: errno.EINVAL,
  },
  ERR_HOST_UNKNOWN: {
    meaning: 'The host name cannot be resolved.',
    remedy: 'Check the spelling, the resolver and the HostName of the ssh configuration.',
    errno: errno.ENOMEDIUM,
  },
  ERR_SSH_REFUSED: {
    meaning: 'Nothing accepts SSH connections at that address.',
    remedy: 'Check that sshd runs there and that the port is right.',
    errno: errno.ECONNRESET,
  },
  ERR_SSH_UNREACHABLE: {
    meaning: 'No SSH connection could be made.',
    remedy: 'The cause holds the network error.',
    errno: errno.ECONNRESET,
  },
  ERR_HOST_KEY_UNKNOWN: {
    meaning: 'The host key of the target is not in known_hosts.',
    remedy: 'Compare the fingerprint with that of the host, then add it with ssh-keyscan or by logging in once.',
    errno: errno.ECONNRESET,
  },
  ERR_HOST_KEY_CHANGED: {
    meaning: 'The host key of the target differs from the one in known_hosts.',
    remedy: 'Either the host was set up anew or somebody stands in between; do not go on before you know which.',
    errno: errno.ECONNRESET,
  },
  ERR_SSH_AUTHENTICATION: {
    meaning: 'The target refused every key that was offered.',
    remedy: 'Start an agent, or name an identity file, whose public key is in authorized_keys of that user.',
    errno: errno.ECONNRESET,
  },
  ERR_SSH_IDENTITY: {
    meaning: 'An identity file cannot be used.',
    remedy: 'It is missing, unreadable, encrypted without an agent, or not a private key.',
    errno: errno.ECONNRESET,
  },
  ERR_SSH_CONFIG: {
    meaning: 'The ssh configuration asks for something that cannot be done.',
    remedy: 'The message names the directive; RPMEM_SSH=ssh uses the external client instead.',
    errno: errno.ECONNRESET,
  },
  ERR_SSH_CLIENT: {
    meaning: 'The external ssh client named by RPMEM_SSH failed.',
    remedy: 'Run the same command by hand; its standard error is among the facts.',
    errno: errno.ECONNRESET,
  },
  ERR_RPMEMD_MISSING: {
    meaning: 'The target has no rpmemd.',
    remedy: 'Install rpmem on the target so that `rpmemd` is in the PATH of a non-interactive shell, or set RPMEM_CMD.',
    errno: errno.ECONNRESET,
  },
  ERR_RPMEMD_EXITED: {
    meaning: 'rpmemd ended before it was ready.',
    remedy: 'Its standard error and exit code are among the facts.',
    errno: errno.ECONNRESET,
  },
  ERR_RPMEMD_STARTUP: {
    meaning: 'rpmemd reported a failure of its own start.',
    remedy: 'Look at the configuration and the log of rpmemd on the target.',
    errno: errno.ECONNRESET,
  },
  ERR_REMOTE_NOISE: {
    meaning: 'Something on the target wrote text before rpmemd could speak.',
    remedy:
      'Silence the login shell of non-interactive sessions (echo in .bashrc, banners); the text is among the facts.',
    errno: errno.EPROTO,
  },

  // Control protocol
  ERR_PROTOCOL: {
    meaning: 'A message on the control channel breaks the protocol.',
    remedy: 'The facts name the message and the rule; the two ends may be of incompatible versions.',
    errno: errno.EPROTO,
  },
  ERR_VERSION: {
    meaning: 'The two ends support no common version of the protocol.',
    remedy: 'Upgrade the older end; the facts hold both ranges.',
    errno: errno.EPROTONOSUPPORT,
  },
  ERR_CONTROL_LOST: {
    meaning: 'The control channel ended in the middle of a conversation.',
    remedy: 'The remote standard error and exit code, where there are any, are among the facts.',
    errno: errno.ECONNRESET,
  },
  ERR_REMOTE: {
    meaning: 'The target refused the request for a reason that it does not name more closely.',
    remedy: 'Look at the log of rpmemd on the target.',
    errno: errno.EREMOTEIO,
  },

  // Daemon
  ERR_CONFIG: {
    meaning: 'The configuration of rpmemd is wrong.',
    remedy: 'Each mistake is listed with its line.',
    errno: errno.EINVAL,
  },
  ERR_USAGE: {
    meaning: 'The command line is wrong.',
    remedy: 'Run the command with --help.',
    errno: errno.EINVAL,
  },
} as const satisfies Record<string, CatalogueEntry>

export type ErrorCode = keyof typeof catalogue
