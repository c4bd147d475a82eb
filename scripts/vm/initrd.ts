import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Kernel, labFolder, moduleFiles } from './kernel.js'

/** What stands between the kernel and the shared tree. */
const modules = ['virtio_pci', '9p', '9pnet_virtio', 'overlay', 'virtio_console']
const mountPoints = ['proc', 'sys', 'dev', 'exchange', 'lower', 'upper', 'new', 'tree']

let written: string | undefined

/** The initrd that takes a guest to scripts/vm/guest (cpio(1), format newc); written once by each process. */
export function findInitrd(kernel: Kernel): string {
  written ??= writeInitrd(kernel)
  return written
}

function writeInitrd(kernel: Kernel): string {
  const folder = mkdtempSync(join(labFolder, 'initrd-'))
  const path = join(labFolder, 'initrd.cpio')
  for (const name of ['bin', 'modules', ...mountPoints]) mkdirSync(join(folder, name), { recursive: true })
  copyFileSync('/bin/busybox', join(folder, 'bin', 'busybox'))
  copyFileSync(join('scripts', 'vm', 'init'), join(folder, 'init'))
  const files = moduleFiles(kernel, modules)
  for (const file of files) copyFileSync(file, join(folder, 'modules', basename(file)))
  writeFileSync(join(folder, 'modules', 'order'), files.map(file => `${basename(file)}\n`).join(''))
  const names = ['init', 'bin/busybox', 'modules/order', ...files.map(file => `modules/${basename(file)}`)]
  const input = ['bin', 'modules', ...mountPoints, ...names].join('\n')
  const cpio = ['--create', '--format=newc', '--quiet', '--owner=0:0', '--file', 'archive']
  const { status, stderr } = spawnSync('cpio', cpio, { cwd: folder, input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`cpio: ${stderr}`)
  // Whole or not at all: another process may be starting a guest.
  renameSync(join(folder, 'archive'), path)
  rmSync(folder, { recursive: true })
  return path
}
