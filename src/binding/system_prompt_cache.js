// The class as it is exported. Run as an expression when the addon is loaded.
// oxlint-disable-next-line no-unused-vars
function subclassOf(Native, readersOf) {
  return class SystemPromptCache extends Native {
    #prompt
    #config

    constructor(options) {
      super(options)
      const readers = readersOf(this)
      this.#prompt = readers.fetchActiveSystemPrompt
      this.#config = readers.fetchActiveSystemPromptConfig
    }

    fetchActiveSystemPrompt() {
      return this.#prompt()
    }

    fetchActiveSystemPromptConfig() {
      return this.#config()
    }
  }
}
