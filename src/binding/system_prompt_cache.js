;(Native, readersOf) =>
  class SystemPromptCache extends Native {
    #prompt
    #config

    constructor(options) {
      super(options)
      const { prompt, config } = readersOf(this)
      this.#prompt = prompt
      this.#config = config
    }

    fetchActiveSystemPrompt() {
      return this.#prompt()
    }

    fetchActiveSystemPromptConfig() {
      return this.#config()
    }
  }
