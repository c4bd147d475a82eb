#!/usr/bin/env node
import { homedir } from 'node:os'
import { nativeFabric } from '../fabric-native/index.js'
import { rpmemd, type StopSignal } from '../target/index.js'
import { packageVersion } from './version.js'

const signals: readonly StopSignal[] = ['SIGTERM', 'SIGINT', 'SIGHUP']

const code = await rpmemd({
  args: process.argv.slice(2),
  env: process.env,
  home: homedir,
  // Getters, because a process whose input was never asked for does not read it.
  get input() {
    return process.stdin
  },
  get output() {
    return process.stdout
  },
  stderr: process.stderr,
  fabric: nativeFabric,
  version: packageVersion,
  onSignal(stop) {
    for (const signal of signals) process.on(signal, () => stop(signal))
  },
})

// Everything is closed by now; what threads a library has left behind must not keep the channel open.
process.exit(code)
