// The functions that read a resource. Run as an expression for each resource.
//
// Of what a hit costs, handing a string over is the larger part, so the ids stay here: the native side knows its entries by
// handles, and says which it has begun and which had to go.
// oxlint-disable-next-line no-unused-vars
function readersOf() {
  const handles = new Map()
  return {
    remember: (id, handle) => void handles.set(id, handle),
    forget: (id) => void handles.delete(id),
    reader: (hit, ask) => (id) => {
      const text = typeof id === 'number' && Number.isSafeInteger(id) ? String(id) : id
      const handle = handles.get(text)
      const promise = handle === undefined ? undefined : hit(handle)
      if (promise !== undefined) return promise
      // Half a surrogate pair would become another id on its way.
      return ask(typeof text === 'string' && !text.isWellFormed() ? undefined : text)
    },
  }
}
