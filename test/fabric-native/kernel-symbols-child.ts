import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { nativeFabric } from '../../fabric-native/index.js'

/** Runs with observed-fopen.c preloaded: looks for providers, then reads the file itself, in two threads. */
const file = '/proc/kallsyms'
const reports = await nativeFabric.probe(['verbs', 'tcp'], { node: '127.0.0.1' })
const found = reports.flatMap(({ provider, offer }) => (offer ? provider : []))
const read = [readFileSync(file).length > 0, (await readFile(file)).length > 0]
process.stdout.write(JSON.stringify({ found, read }))
process.exit(0)
