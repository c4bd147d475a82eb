import { closeSync, fdatasyncSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GiB, pageSize } from '../core/index.js'
import { NativeArenaMemory } from '../fabric-native/index.js'
import { benchMirrored } from './mirrored-checkpoint.js'
import type { BenchOptions } from './options.js'
import { openings, type PageStore } from './page-store.js'
import type { Report, Row } from './row.js'
import { type Sample, sampleSync } from './sample.js'

/** Kinds of storage by name; the disk may be named by RPMEM_BENCH_DISK. */
const places: Readonly<Record<string, string>> = { disk: process.env.RPMEM_BENCH_DISK ?? tmpdir(), tmpfs: '/dev/shm' }

const counts = [1, 10, 100, 1000]
const pages = 16_384

/** Commits of so many changed pages out of 64 MiB, by an arena and by others, and the search for changed pages. */
export async function benchCheckpoint(report: Report, options: BenchOptions): Promise<void> {
  for (const [place, under] of Object.entries(places)) {
    const folder = mkdtempSync(join(under, 'rpmem-bench-'))
    try {
      await benchCommits(report, options, place, folder)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  await withFolders(folders => benchMirrored(report, options, folders))
  benchFinding(report, options)
}

async function withFolders(run: (folders: Readonly<Record<string, string>>) => Promise<void>): Promise<void> {
  const made = Object.entries(places).map(
    ([place, under]) => [place, mkdtempSync(join(under, 'rpmem-bench-'))] as const,
  )
  try {
    await run(Object.fromEntries(made))
  } finally {
    for (const [, folder] of made) rmSync(folder, { recursive: true, force: true })
  }
}

async function benchCommits(report: Report, options: BenchOptions, place: string, folder: string): Promise<void> {
  const floors = counts.map(count => benchFloor(report, options, place, folder, count))
  for (const [name, open] of Object.entries(openings)) {
    let store: PageStore
    try {
      store = await open({ folder, pages })
    } catch (error) {
      console.error(`${name} is left out: ${missing(name, error)}`)
      continue
    }
    for (const [index, count] of counts.entries()) {
      const images = Buffer.alloc(count * pageSize)
      const numbers = new Uint32Array(count)
      const sample = sampleSync(roundsOf(options, count), round => {
        images.fill(round + 2)
        scatter(numbers, round)
        store.commit(numbers, images)
      })
      report.add(row(name, `sync, ${place}`, count, sample, floors[index]))
    }
    await store.close()
  }
}

/** The same bytes in one piece and one fdatasync: no promise about what a crash leaves. */
function benchFloor(report: Report, options: BenchOptions, place: string, folder: string, count: number): number {
  const fd = openSync(join(folder, 'floor'), 'w')
  const images = Buffer.alloc(count * pageSize)
  const sample = sampleSync(roundsOf(options, count), round => {
    images.fill(round + 2)
    writeSync(fd, images)
    fdatasyncSync(fd)
  })
  closeSync(fd)
  rmSync(join(folder, 'floor'))
  report.add(row('floor', `write, sync, ${place}`, count, sample))
  return sample.percentileUs(0.5)
}

/** 1,000 changed pages in 1 GiB of which every page is in memory. */
function benchFinding(report: Report, options: BenchOptions): void {
  const folder = mkdtempSync(join(places.disk as string, 'rpmem-bench-'))
  const fd = openSync(join(folder, 'data'), 'w+')
  ftruncateSync(fd, GiB)
  const memory = NativeArenaMemory.map(fd, GiB)
  try {
    const view = memory.view(0, GiB)
    for (let at = 0; at < GiB; at += pageSize) touched += view[at] as number
    const numbers = new Uint32Array(1000)
    const rounds = options.quick ? 50 : 300
    for (const find of ['peekDirty', 'takeDirty'] as const) {
      const durations: number[] = []
      sampleSync(rounds, round => {
        scatter(numbers, round, GiB / pageSize)
        for (const number of numbers) view[number * pageSize] = round + 1
        const begin = performance.now()
        const found = memory[find]()
        durations.push((performance.now() - begin) * 1000)
        if (found.length === 0) throw new Error('changed pages were not found')
        if (find === 'peekDirty') memory.takeDirty()
      })
      report.add(finding(find, memory.tracking, durations))
    }
  } finally {
    memory.close()
    closeSync(fd)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Keeps reads from being optimised away. */
export let touched = 0

/** Distinct pages all over the store, others in each round. */
function scatter(numbers: Uint32Array, round: number, among = pages): void {
  const stride = Math.floor(among / numbers.length)
  for (let index = 0; index < numbers.length; index++)
    numbers[index] = index * stride + (((Math.imul(round + 1, 2_654_435_761) >>> 8) + index * 7) % stride)
}

const roundsOf = ({ quick }: BenchOptions, count: number): number =>
  Math.ceil((quick ? 60 : 400) / (count === 1000 ? 4 : 1))

function missing(name: string, error: unknown): string {
  const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
  if (name !== 'sqlite') return `${reason}; npm ci installs it`
  return `${reason}; npm ci --ignore-scripts does not build it: npm rebuild --build-from-source better-sqlite3`
}

function row(provider: string, mode: string, count: number, sample: Sample, floorUs = 0): Row {
  const [p50Us, p99Us] = [sample.percentileUs(0.5), sample.percentileUs(0.99)]
  const figures = { p50Us, p99Us, opsPerSecond: 1e6 / sample.meanUs, floorUs }
  return { bench: 'checkpoint', provider, mode, bytes: count * pageSize, lanes: 1, inflight: 1, ...figures }
}

function finding(find: string, tracking: string, durations: number[]): Row {
  const us = durations.sort((one, other) => one - other)
  const at = (share: number) => us[Math.floor((us.length - 1) * share)] as number
  const mode = find === 'peekDirty' ? 'find 1000 in 1 GiB' : 'find and take'
  const figures = { p50Us: at(0.5), p99Us: at(0.99), opsPerSecond: 1e6 / at(0.5), floorUs: 0 }
  return {
    bench: 'checkpoint',
    provider: tracking.split('-')[0] ?? '',
    mode,
    bytes: GiB,
    lanes: 1,
    inflight: 1,
    ...figures,
  }
}
