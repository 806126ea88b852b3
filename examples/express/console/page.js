// Writing to the page: only what differs, so that nothing selected or read aloud is disturbed.

export const element = (id) => document.getElementById(id)

export function put(place, words) {
  if (place.textContent !== String(words)) place.textContent = words
}

/** A message whose colour goes with its kind: `idle`, `waiting`, `proven`, `failed`. */
export function say(place, words, kind) {
  place.dataset.kind = kind
  put(place, words)
}

/** Fills a description list: `{ term, value, hint?, bad? }` each. */
export function putFacts(list, facts) {
  while (list.children.length > facts.length) list.lastElementChild.remove()
  while (list.children.length < facts.length) {
    const group = document.createElement('div')
    group.append(document.createElement('dt'), document.createElement('dd'))
    list.append(group)
  }
  facts.forEach(({ term, value, hint, bad = false }, index) => {
    const group = list.children[index]
    group.dataset.kind = bad ? 'bad' : ''
    put(group.querySelector('dt'), term)
    put(group.querySelector('dd'), value)
    if (hint === undefined) return
    if (!group.querySelector('.hint'))
      group.append(Object.assign(document.createElement('dd'), { className: 'hint' }))
    put(group.querySelector('.hint'), hint)
  })
}
