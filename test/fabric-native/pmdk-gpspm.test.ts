import t from 'tap'
import { fabricCompliance } from './compliance.js'
import { nativeBed } from './native-bed.js'

fabricCompliance(t, nativeBed('sockets', 'pmdk', 'GPSPM'))
