// What was found: a line each, as it is found, or one JSON object at the end.

const WIDTH = Math.max(
  ...['variables', 'fallback', 'supabase', 'redis'].map(({ length }) => length),
)

export class Findings {
  #output
  #all = []

  constructor(output) {
    this.#output = output
  }

  ok(check, message) {
    this.#add('ok', check, message)
  }

  warn(check, message) {
    this.#add('warn', check, message)
  }

  fail(check, message) {
    this.#add('fail', check, message)
  }

  get failed() {
    return this.#all.some(({ level }) => level === 'fail')
  }

  end() {
    if (this.#output.json) this.#output.object({ ok: !this.failed, findings: this.#all })
  }

  #add(level, check, message) {
    this.#all.push({ level, check, message })
    if (!this.#output.json)
      this.#output.line(`${level.padEnd(4)} ${check.padEnd(WIDTH)}  ${message}`)
  }
}
