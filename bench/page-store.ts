import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pageSize } from '../core/index.js'
import { Arena } from '../lpsm/index.js'

/** Something that commits pages: what is measured beside each other. All of `pages` are there from the begin on. */
export interface PageStore {
  readonly provider: string
  /** Stores the images in the place of these pages and returns when they are durable, all or none. */
  commit(pages: Uint32Array, images: Buffer): void
  close(): Promise<void> | void
}

export interface StoreShape {
  readonly folder: string
  readonly pages: number
}

/** A store, or why there is none on this machine. */
export type Opening = (shape: StoreShape) => Promise<PageStore> | PageStore

export const openings: Readonly<Record<string, Opening>> = { arena: openArena, lmdb: openLmdb, sqlite: openSqlite }

const imageOf = (images: Buffer, index: number): Buffer => images.subarray(index * pageSize, (index + 1) * pageSize)

async function openArena({ folder, pages }: StoreShape): Promise<PageStore> {
  const arena = await Arena.open(join(folder, 'arena'), join(folder, 'arena.log'), { size: pages * pageSize })
  const view = arena.view(0, arena.size)
  view.fill(1)
  arena.checkpointSync()
  return {
    provider: 'arena',
    commit(numbers, images) {
      for (const [index, number] of numbers.entries()) view.set(imageOf(images, index), number * pageSize)
      arena.checkpointSync()
    },
    close: () => arena.close(),
  }
}

/** What is used of the packages; they are only there to be measured. */
interface Lmdb {
  open(options: object): {
    put(key: number, value: Buffer): unknown
    putSync(key: number, value: Buffer): unknown
    transactionSync(work: () => void): void
    close(): Promise<void>
  }
}

interface SqliteDatabase {
  pragma(text: string): unknown
  exec(text: string): unknown
  prepare(text: string): { run(...values: unknown[]): unknown }
  transaction<Arguments extends unknown[]>(work: (...values: Arguments) => void): (...values: Arguments) => void
  close(): void
}

const load = createRequire(import.meta.url)

/** Durable when the transaction has returned: lmdb would otherwise let the next one overlap with its sync. */
function openLmdb({ folder, pages }: StoreShape): PageStore {
  const { open } = load('lmdb') as Lmdb
  const store = open({
    path: join(folder, 'lmdb'),
    mapSize: 8 * pages * pageSize,
    encoding: 'binary',
    keyEncoding: 'uint32',
    overlappingSync: false,
    cache: false,
  })
  const commit = (numbers: Uint32Array, images: Buffer) =>
    store.transactionSync(() => {
      for (const [index, number] of numbers.entries()) store.putSync(number, imageOf(images, index))
    })
  fill(pages, commit)
  return { provider: 'lmdb', commit, close: () => store.close() }
}

function openSqlite({ folder, pages }: StoreShape): PageStore {
  const Database = load('better-sqlite3') as new (path: string) => SqliteDatabase
  const database = new Database(join(folder, 'sqlite'))
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.exec('CREATE TABLE page (number INTEGER PRIMARY KEY, image BLOB NOT NULL)')
  const replace = database.prepare('INSERT OR REPLACE INTO page VALUES (?, ?)')
  const commit = database.transaction((numbers: Uint32Array, images: Buffer) => {
    for (const [index, number] of numbers.entries()) replace.run(number, imageOf(images, index))
  })
  fill(pages, commit)
  return { provider: 'sqlite', commit, close: () => database.close() }
}

function fill(pages: number, commit: PageStore['commit']): void {
  const step = 1024
  const images = Buffer.alloc(step * pageSize, 1)
  for (let first = 0; first < pages; first += step)
    commit(
      Uint32Array.from({ length: Math.min(step, pages - first) }, (_, index) => first + index),
      images,
    )
}
