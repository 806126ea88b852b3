// `npm run build`: the release `.node` file, and the loader `native.js` that belongs to it.
import { runCommand } from './command.mjs'

process.exit(runCommand('npx', ['napi', 'build', '--platform', '--release', '--js', 'native.js', '--dts', 'target/native.d.ts']) ? 0 : 1)
