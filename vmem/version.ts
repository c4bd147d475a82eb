/** The version of libvmem's interface that Vmem offers. Source: libvmem(7). */
export const majorVersion = 1
export const minorVersion = 1

/** Undefined if the interface offers what a program needs, else why not. Source: vmem_check_version(3). */
export function checkVersion(major: number, minor: number): string | undefined {
  if (major !== majorVersion) return `libvmem major version mismatch (need ${major}, found ${majorVersion})`
  if (minor > minorVersion) return `libvmem minor version mismatch (need ${minor}, found ${minorVersion})`
  return undefined
}
