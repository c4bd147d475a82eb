import { dlopen } from 'node:process'
import { fileURLToPath } from 'node:url'
import { RpmemError } from '../core/index.js'
import type { FabricBinding } from './fabric-binding.js'
import type { HeapBinding } from './heap-binding.js'
import type { ChecksumBinding, ErrandBinding, FileBinding, MemoryBinding, TrackingBinding } from './memory-binding.js'

/** Everything the addon exports. */
export interface NativeBinding
  extends MemoryBinding,
    TrackingBinding,
    FileBinding,
    ErrandBinding,
    ChecksumBinding,
    FabricBinding,
    HeapBinding {}

let loaded: NativeBinding | undefined

/**
 * The addon, loaded at the first call and not at import, so that commands which touch no memory work without it. From
 * dist/fabric-native/ it lies in build/Release/ of the package.
 * @throws ERR_NATIVE_MISSING with the loader's error as cause
 */
export function loadBinding(): NativeBinding {
  loaded ??= requireAddon(fileURLToPath(new URL('../../build/Release/fabric_native.node', import.meta.url)))
  return loaded
}

function requireAddon(path: string): NativeBinding {
  try {
    // Not `require`, whose error shows a stack of modules instead of what the loader misses.
    const addon: any = { exports: {} }
    dlopen(addon, path)
    return addon.exports
  } catch (cause) {
    throw RpmemError.wrap('ERR_NATIVE_MISSING', 'the native addon cannot be loaded', cause, { facts: { path } })
  }
}
