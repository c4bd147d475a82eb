export { type DaemonPorts, rpmemd, type StopSignal } from './rpmemd.js'
