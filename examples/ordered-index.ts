/**
 * An ordered index that survives kill -9: a skip list in a managed arena, over the lines of a file or the packages that
 * /var/lib/dpkg/status names. Kill it and start it again: it goes on where its last checkpoint was.
 * Arguments: the file, data file and log file of the arena, and any number of replicas such as 'user@node2 arena.set'.
 */
import { readFileSync } from 'node:fs'
import { ManagedArena } from 'rpmem'

const [, , input = '/var/lib/dpkg/status', dataFile = 'index.arena', logFile = 'index.log', ...replicas] = process.argv
const text = readFileSync(input, 'utf8')
const packages = Array.from(text.matchAll(/^Package: (.+)$/gm), ([, name]) => name as string)
const words = packages.length > 0 ? packages : text.split('\n').filter(line => line !== '')

const arena = await ManagedArena.open(dataFile, logFile, { size: 8 * 2 ** 20, replicas })
// What the arena has to say of itself lies in two roots: the head of the list, and how many words were read.
const head = 0
const done = 1
const most = 12

// A node: height (8 bytes), the offset of the next node on each level (8 bytes each), the word.
const nextAt = (level: number): number => 8 + 8 * level
const wordAt = (height: number): number => nextAt(height)

function newNode(word: string, height: number): number {
  const length = Buffer.byteLength(word)
  const offset = arena.zallocOffset(wordAt(height) + 8 + length)
  const node = arena.view(offset)
  node.writeDoubleLE(height, 0)
  node.writeDoubleLE(length, wordAt(height))
  node.write(word, wordAt(height) + 8)
  return offset
}

function wordOf(offset: number): string {
  const node = arena.view(offset)
  const at = wordAt(node.readDoubleLE(0))
  return node.toString('utf8', at + 8, at + 8 + node.readDoubleLE(at))
}

const next = (offset: number, level: number): number => arena.view(offset).readDoubleLE(nextAt(level))

/** The last node before the word, on each level. */
function before(word: string): number[] {
  const path: number[] = []
  for (let level = most - 1, node = arena.root(head); level >= 0; level--) {
    for (let after = next(node, level); after !== 0 && wordOf(after) < word; after = next(node, level)) node = after
    path[level] = node
  }
  return path
}

/** Where the word belongs; a word that is there already stays alone. */
function insert(word: string): void {
  const path = before(word)
  const after = next(path[0] as number, 0)
  if (after !== 0 && wordOf(after) === word) return
  const height = 1 + Math.min(most - 1, Math.clz32(Math.trunc(Math.random() * 2 ** 32)))
  const offset = newNode(word, height)
  for (let level = 0; level < height; level++) {
    const previous = arena.view(path[level] as number)
    arena.view(offset).writeDoubleLE(previous.readDoubleLE(nextAt(level)), nextAt(level))
    previous.writeDoubleLE(offset, nextAt(level))
  }
}

function* everyWord(): Generator<string> {
  for (let node = next(arena.root(head), 0); node !== 0; node = next(node, 0)) yield wordOf(node)
}

if (arena.root(head) === 0) arena.setRoot(head, newNode('', most))
const found = [...everyWord()]
const inOrder = found.every((word, index) => index === 0 || (found[index - 1] as string) < word)
console.log(`opened: ${found.length} words, in order: ${inOrder}, heap consistent: ${arena.check().consistent}`)

while (arena.root(done) < words.length) {
  const batch = words.slice(arena.root(done), arena.root(done) + 20)
  for (const word of batch) insert(word)
  arena.setRoot(done, arena.root(done) + batch.length)
  // List, heap and root become durable together, or not at all.
  const { sequence, durableOn } = await arena.checkpoint()
  console.log(`checkpoint ${sequence}: ${arena.root(done)} of ${words.length} read, durable on ${durableOn.join(', ')}`)
}
console.log(`whole: ${[...everyWord()].length} words`)
await arena.close()
