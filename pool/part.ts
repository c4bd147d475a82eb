import { randomBytes } from 'node:crypto'
import { linkSync, unlinkSync } from 'node:fs'
import { type FileHandle, link, lstat, open, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasCode, pageSize, RpmemError, systemCode } from '../core/index.js'
import { DevicePart } from './device-part.js'
import { FileSync } from './file-sync.js'
import { type PartPlace, partSize } from './layout.js'
import { notAFile, partBusy, partError, partExists, partMissing } from './part-error.js'
import type { Storage } from './storage.js'
import { takeBack } from './taking-back.js'

/**
 * One file or device DAX of a replica, open and locked until close(). The exclusive lock is the only guard against a second
 * opener, so it is taken before anything is read or changed.
 */
export class Part {
  readonly path: string
  /** True if this object made the file. */
  readonly created: boolean
  readonly #file: FileHandle
  readonly #sync = new FileSync(() => this.#file.datasync())
  #device: DevicePart | undefined
  /** The name of a file that does not have its own yet. */
  #stagedAs: string | undefined

  private constructor(path: string, created: boolean, file: FileHandle, stagedAs?: string) {
    this.path = path
    this.created = created
    this.#file = file
    this.#stagedAs = stagedAs
  }

  /**
   * Makes the file, or adopts one of exactly the right size, and gives it all its space. A new file has mode 0600 from the
   * beginning: an attempt that is killed leaves nothing that its owner could not open and judge. Undone on failure.
   */
  static async create(place: PartPlace, storage: Storage): Promise<Part> {
    const part = (await createFile(place, storage)) ?? (await Part.open(place, storage))
    try {
      if (!part.#device) await part.#allocate(place.size, storage)
      return part
    } catch (error) {
      throw await takeBack(error, [...(part.created ? [() => part.unlink()] : []), () => part.close()])
    }
  }

  /** Opens what create made: it must exist, be free, and have exactly the size of its line in the pool set. */
  static async open(place: PartPlace, storage: Storage): Promise<Part> {
    const part = await openFile(place.path)
    try {
      await part.claim(storage)
      await part.checkSize(place.size)
      return part
    } catch (error) {
      await part.close()
      throw error
    }
  }

  /** Locks whatever is there, of whatever size; for removal. */
  static async claim(path: string, storage: Storage): Promise<Part> {
    const part = await openFile(path)
    try {
      await part.claim(storage)
      return part
    } catch (error) {
      await part.close()
      throw error
    }
  }

  static adopt(path: string, created: boolean, file: FileHandle, stagedAs?: string): Part {
    return new Part(path, created, file, stagedAs)
  }

  get fd(): number {
    return this.#file.fd
  }

  async claim(storage: Storage): Promise<void> {
    const stat = await this.#file.stat()
    const device = stat.isFile() || stat.isCharacterDevice() ? storage.device(this.fd) : undefined
    if (device) this.#device = new DevicePart(device, storage, this.fd)
    else if (!stat.isFile()) throw notAFile(this.path)
    if (!storage.lock(this.fd)) throw partBusy(this.path)
    // Between our open and our lock, the last owner may have removed the pool: the lock would guard a nameless file.
    if ((await this.#file.stat()).nlink === 0) throw partMissing(this.path)
  }

  /** Of a device DAX: what every piece of it begins and ends on. Otherwise undefined. */
  get deviceAlignment(): number | undefined {
    return this.#device?.alignment
  }

  async checkSize(size: number): Promise<void> {
    const found = this.#device?.size ?? (await this.#file.stat()).size
    const what = this.#device ? 'device' : 'file'
    if (found !== size) throw partSize(this.path, size, `the pool set says ${size} bytes, the ${what} has ${found}`)
  }

  async readHeader(): Promise<Uint8Array> {
    if (this.#device) return this.#device.readPage()
    const page = new Uint8Array(pageSize)
    const { bytesRead } = await this.#io('read the header of', () => this.#file.read(page, 0, pageSize, 0))
    if (bytesRead < pageSize) throw partSize(this.path, bytesRead, 'the file ends inside its header')
    return page
  }

  /** Durable when it resolves. */
  async writeHeader(page: Uint8Array): Promise<void> {
    if (this.#device) return this.#device.writePage(page)
    await this.#io('write the header of', async () => {
      await this.#file.write(page, 0, pageSize, 0)
      await this.#file.sync()
    })
  }

  /** All that was stored in the file, through its mapping too, is durable when it resolves. Does not block. */
  async sync(): Promise<void> {
    try {
      await this.#sync.run()
    } catch (error) {
      throw RpmemError.wrap('ERR_MSYNC', `${this.path} could not be made durable`, error, {
        facts: { part: this.path },
        durability: 'unknown',
      })
    }
  }

  async checkHeaderIsFree(): Promise<void> {
    const page = await this.readHeader()
    if (page.some(byte => byte !== 0)) throw partExists(this.path)
  }

  /** Time of the last change of the file's state, in whole seconds: what the header gives as time of creation. */
  async changedAt(): Promise<bigint> {
    const { ctimeNs } = await this.#io('examine', () => this.#file.stat({ bigint: true }))
    return ctimeNs / 1_000_000_000n
  }

  /** Makes size and name of a new file durable and gives it the mode that was asked for. ERR_PART_EXISTS: the name is taken. */
  async publish(mode: number): Promise<void> {
    if (!this.created) return
    await this.#io('publish', async () => {
      if (mode !== privateMode) await this.#file.chmod(mode)
      await this.#file.sync()
      await this.#takeName()
      await syncDirectory(dirname(this.path))
    })
  }

  /** The name goes, the lock stays until close(): nobody can slip in between. A device is wiped. */
  async unlink(): Promise<void> {
    if (this.#device) this.#device.wipe()
    else await this.#io('remove', () => unlink(this.#stagedAs ?? this.path))
  }

  async #takeName(): Promise<void> {
    const staged = this.#stagedAs
    if (staged === undefined) return
    try {
      await link(staged, this.path)
    } catch (error) {
      throw systemCode(error) === 'EEXIST' ? partExists(this.path) : error
    }
    this.#stagedAs = undefined
    await unlink(staged)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #allocate(size: number, storage: Storage): Promise<void> {
    await this.#io('allocate space for', () => storage.allocate(this.fd, size))
  }

  async #io<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw partError(this.path, action, error)
    }
  }
}

const privateMode = 0o600

/** Undefined if something of that name exists already. */
async function createFile({ path, staged }: PartPlace, storage: Storage): Promise<Part | undefined> {
  if (await exists(path)) return undefined
  return staged ? createStaged(path, storage) : createLocked(path, path, storage)
}

async function createStaged(path: string, storage: Storage): Promise<Part> {
  const name = stagedName(path)
  const made = await createLocked(path, name, storage)
  if (made) return made
  // One that has gone meanwhile has become a part: somebody else was faster.
  await removeLeftOver(name, storage).catch((error: unknown) => {
    throw hasCode(error, 'ERR_PART_MISSING') ? partBusy(path) : error
  })
  const again = await createLocked(path, name, storage)
  if (again) return again
  throw partBusy(path)
}

/**
 * A new file that gets its name when it is locked: whoever finds it under that name finds it in use, and of several that make
 * the same part one has it. Undefined if the name is taken.
 */
async function createLocked(path: string, name: string, storage: Storage): Promise<Part | undefined> {
  const nameless = join(dirname(path), `.rpmem-${randomBytes(8).toString('hex')}`)
  let file: FileHandle | undefined
  try {
    file = await open(nameless, 'wx+', privateMode)
    if (!takeName(nameless, name, () => storage.lock(file?.fd ?? -1))) throw partBusy(path)
    return Part.adopt(path, true, file, name === path ? undefined : name)
  } catch (error) {
    await file?.close()
    if (systemCode(error) === 'EEXIST') return undefined
    throw partError(path, 'create', error)
  }
}

/** At one go, so that hardly any crash can leave the first name. */
function takeName(from: string, to: string, lock: () => boolean): boolean {
  try {
    if (!lock()) return false
    linkSync(from, to)
    return true
  } finally {
    unlinkSync(from)
  }
}

/** A file that was never given its own name is nobody's, unless somebody is at it. */
export async function removeLeftOver(name: string, storage: Storage): Promise<void> {
  const part = await Part.claim(name, storage)
  try {
    await part.unlink()
  } finally {
    await part.close()
  }
}

/** What a part is called until it is whole; no reader of a directory takes it for a part. */
const stagedName = (path: string): string => `${path}.new`

/** Is it the name of a file in a directory that was to become a part? */
export const isStagedFile = (name: string): boolean => /^\d{6,9}\.pmem\.new$/.test(name)

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  )

async function openFile(path: string): Promise<Part> {
  try {
    return Part.adopt(path, false, await open(path, 'r+'))
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT') throw partMissing(path, error)
    if (code === 'EISDIR' || code === 'ENXIO' || code === 'ENODEV') throw notAFile(path)
    throw partError(path, 'open', error)
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
