import ssh2 from 'ssh2'
import t from 'tap'
import { freshKey } from '../../cli/fresh-key.js'

t.test('a key that ssh2 cannot read again is thrown away', async t => {
  const sound = freshKey()
  t.notOk(ssh2.utils.parseKey(sound.private) instanceof Error)
  const broken = { ...sound, private: sound.private.slice(0, 120) }
  const keys = [broken, broken, sound]
  t.equal(
    freshKey(() => keys.shift() ?? sound),
    sound,
  )
  t.same(keys, [])
})
