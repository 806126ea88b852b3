// Every fault at the store, the source and both, over real sockets: calls end in time, answers say what they are, nothing
// that stands in is stored, nothing secret is said, and soon after the fault all is as it was.
import test from 'ava'
import { CELLS } from '../dev/matrix/faults.mjs'
import { startMatrix } from '../dev/matrix/matrix.mjs'

let matrix

test.serial.before(async () => {
  matrix = await startMatrix({
    // Short for what hangs, long for what is well on a machine that does other things, too.
    limits: {
      store: { redisTimeoutMs: 200, sourceTimeoutMs: 2000 },
      source: { redisTimeoutMs: 1000, sourceTimeoutMs: 400 },
      both: { redisTimeoutMs: 200, sourceTimeoutMs: 400 },
    },
    maxStalenessMs: 300,
  })
})
test.after.always(() => matrix?.stop())

for (const cell of CELLS) {
  const place = cell.target === 'both' ? 'store and source' : cell.target
  test.serial(`${place}, ${cell.fault}: calls end in time, labelled, and it passes`, async (t) => {
    const { problems, late, cured } = await matrix.run(cell)
    if (!cured) t.log('the host name cannot be made to come back here, so it was not')
    t.deepEqual(problems, [])
    // A machine may stop the addon's threads and let its timer run. Once.
    if (late.length > 0) t.deepEqual((await matrix.run(cell)).late, [], late.join('\n'))
  })
}
