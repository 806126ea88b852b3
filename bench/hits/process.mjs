// The process in which all sides hit in turn. Started by `startProcess`.

import { serveParent } from '../../dev/process.mjs'
import { requirePrompt } from '../prompt.mjs'
import { measureInTurn } from './loops.mjs'
import { openHitSides } from './sides.mjs'

serveParent({
  async measure({ rounds, ...place }) {
    const sides = Object.entries(await openHitSides(place)).map(
      ([name, { content = (got) => got, ...side }]) => [
        name,
        { ...side, require: (got) => requirePrompt(name, content(got)) },
      ],
    )
    return measureInTurn(Object.fromEntries(sides), rounds)
  },
})
