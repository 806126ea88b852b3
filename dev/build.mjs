// `npm run build`: the release `.node` file, and `index.js` and `index.d.ts` that belong to it.
import { runCommand } from './command.mjs'

process.exit(runCommand('npx', ['napi', 'build', '--platform', '--release']) ? 0 : 1)
