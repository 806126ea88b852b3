;(Native, readersOf) =>
  class SystemPromptCache extends Native {
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
