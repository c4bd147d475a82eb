/** What goes before a command so that file modes count for it, too, when the tests run as root. */
export const withoutPrivileges = process.getuid?.() === 0 ? 'setpriv --inh-caps=-all --bounding-set=-all' : ''
