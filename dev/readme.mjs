// The parts of the README that programs write, each between two comments.

import { readFile, writeFile } from 'node:fs/promises'

const README = new URL('../README.md', import.meta.url)

/** Puts a part between `<!-- name:begin -->` and `<!-- name:end -->`. @param {string} name @param {string} part */
export async function writeReadmePart(name, part) {
  const text = await readFile(README, 'utf8')
  const place = new RegExp(`(?<=<!-- ${name}:begin -->\\n)[\\s\\S]*(?=<!-- ${name}:end -->)`)
  if (!place.test(text)) throw new Error(`README.md has no place for ${name}`)
  await writeFile(
    README,
    text.replace(place, () => part),
  )
}
