// Whether what a document links to is there: the file, and the heading in it.

import { posix } from 'node:path'

/**
 * @param {string} document its path
 * @param {{ exists(path: string): boolean, read(path: string): string }} files
 * @returns {string[]} what is not there, one line each
 */
export function deadLinks(document, { exists, read }) {
  const links = [...prose(read(document)).matchAll(/\]\(([^()\s]+)\)/g)].map(([, link]) => link)
  return links
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path, anchor] = link.split('#')
      const target = path ? posix.join(posix.dirname(document), path) : document
      return !exists(target) || (anchor && !anchorsOf(read(target)).includes(anchor))
    })
    .map((link) => `${document}: there is no ${link}`)
}

const prose = (text) => text.replaceAll(/^ *```.*?^ *```$/gms, '')

/** As GitHub makes them of headings. */
function anchorsOf(text) {
  return [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
