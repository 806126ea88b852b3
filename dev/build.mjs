// `npm run build`: the release `.node` file, and `index.js` and `index.d.ts` that belong to it.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

// Through `npx`, so that Windows finds it as well.
execFileSync('npx', ['napi', 'build', '--platform', '--release'], {
  cwd: root,
  stdio: 'inherit',
  shell: process.platform === 'win32',
})
