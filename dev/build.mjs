// `npm run build`: the release `.node` file, and `native.js`, which loads it. The types of the package are written by hand.
import { runCommand } from './command.mjs'

const NAPI = 'napi build --platform --release --js native.js --dts target/native.d.ts'

process.exit(runCommand('npx', NAPI.split(' ')) ? 0 : 1)
