const root = process.getuid?.() === 0

/** What goes before a command so that file modes count for it, too, when the tests run as root. */
export const withoutPrivileges = root ? 'setpriv --inh-caps=-all --bounding-set=-all' : ''

/** What goes before a command so that its loopback interface is one of its own, and down. */
export const withoutNetwork = root ? 'unshare --net' : 'unshare --map-root-user --net'
