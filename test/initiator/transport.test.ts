import t from 'tap'
import type { ProviderName, ProviderReport } from '../../fabric-native/index.js'
import { candidates, chooseTransport } from '../../initiator/transport.js'

const have = (provider: ProviderName, more = {}): ProviderReport => ({
  provider,
  offer: {
    provider,
    fabricName: provider,
    protocol: 7,
    protocolVersion: 1,
    maxLanes: 16,
    maxMessageSize: 1024,
    ...more,
  },
})
const lack = (provider: ProviderName, reason: string): ProviderReport => ({ provider, reason })
const all = [have('verbs'), have('tcp'), have('sockets')]
const rules = { verbs: true, sockets: false }

interface Row {
  readonly name: string
  readonly ours?: readonly ProviderReport[]
  readonly theirs?: readonly ProviderReport[] | 'pmdk'
  readonly rules?: { verbs?: boolean; sockets?: boolean; require?: ProviderName }
  readonly provider: ProviderName | 'none'
  readonly why?: Partial<Record<ProviderName, RegExp>>
}

const rows: readonly Row[] = [
  { name: 'verbs comes first', provider: 'verbs', why: { tcp: /verbs comes first/, sockets: /not enabled/ } },
  {
    name: 'tcp follows when verbs is disabled',
    rules: { verbs: false },
    provider: 'tcp',
    why: { verbs: /RPMEM_ENABLE_VERBS/ },
  },
  {
    name: 'tcp follows when this end has no verbs',
    ours: [lack('verbs', 'no device'), have('tcp')],
    provider: 'tcp',
    why: { verbs: /here: no device/ },
  },
  {
    name: 'tcp follows when the target has no verbs',
    theirs: [lack('verbs', 'no device'), have('tcp')],
    provider: 'tcp',
    why: { verbs: /on the target: no device/ },
  },
  {
    name: 'sockets is the last resort, if enabled',
    rules: { sockets: true },
    theirs: [lack('verbs', 'x'), lack('tcp', 'y'), have('sockets')],
    provider: 'sockets',
  },
  {
    name: 'sockets is no resort if not enabled',
    theirs: [have('sockets')],
    provider: 'none',
    why: { tcp: /nothing is known/ },
  },
  {
    name: 'different wire formats do not meet',
    ours: [have('tcp', { protocolVersion: 2 })],
    theirs: [have('tcp')],
    provider: 'none',
    why: { tcp: /7 version 2 here, 7 version 1 on the target/ },
  },
  {
    name: 'different names of the library do not matter',
    ours: [have('tcp', { fabricName: 'net' })],
    theirs: [have('tcp')],
    provider: 'tcp',
  },
  {
    name: 'a required provider excludes better ones',
    rules: { require: 'tcp' },
    provider: 'tcp',
    why: { verbs: /tcp is required/ },
  },
  {
    name: 'a required provider that is missing fails',
    rules: { require: 'verbs' },
    ours: [have('tcp')],
    provider: 'none',
    why: { verbs: /here/, tcp: /verbs is required/ },
  },
  { name: 'to require sockets enables it', rules: { require: 'sockets' }, provider: 'sockets' },
  { name: 'a PMDK peer is reached over verbs', theirs: 'pmdk', provider: 'verbs' },
  {
    name: 'a PMDK peer is never reached over tcp',
    theirs: 'pmdk',
    ours: [have('tcp'), have('sockets')],
    provider: 'none',
    why: { tcp: /PMDK's rpmemd does not know it/ },
  },
  {
    name: 'a PMDK peer is reached over sockets if enabled',
    theirs: 'pmdk',
    ours: [have('sockets')],
    rules: { sockets: true },
    provider: 'sockets',
  },
]

for (const row of rows) {
  t.test(row.name, async t => {
    const theirs = row.theirs === 'pmdk' ? undefined : (row.theirs ?? all)
    const choose = () => chooseTransport(row.ours ?? all, theirs, { ...rules, ...row.rules })
    if (row.provider === 'none') {
      t.throws(choose, { code: 'ERR_NO_PROVIDER', facts: row.why ?? {} })
      return
    }
    const { provider, why } = choose()
    t.equal(provider, row.provider)
    t.same(
      why.map(reason => [reason.provider, reason.chosen]),
      [
        ['verbs', provider === 'verbs'],
        ['tcp', provider === 'tcp'],
        ['sockets', provider === 'sockets'],
      ],
    )
    for (const reason of why) t.match(reason.reason, row.why?.[reason.provider] ?? /./)
  })
}

t.test('the fewer lanes of both ends count', async t => {
  t.equal(chooseTransport([have('tcp', { maxLanes: 5 })], [have('tcp')], rules).maxLanes, 5)
  t.equal(chooseTransport([have('tcp')], [have('tcp', { maxLanes: 3 })], rules).maxLanes, 3)
})

t.test('only what the rules allow is probed', async t => {
  t.same(candidates(rules), ['verbs', 'tcp'])
  t.same(candidates({ verbs: false, sockets: true }), ['tcp', 'sockets'])
  t.same(candidates({ ...rules, require: 'sockets' }), ['sockets'])
})
