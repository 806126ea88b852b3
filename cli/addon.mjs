// The addon, or in one line why there is none.

let loaded
try {
  loaded = await import('../index.mjs')
} catch (error) {
  // A chain of causes, one for each place where a build was looked for; the first line says enough.
  throw new Error(
    `the addon cannot be loaded on ${process.platform}-${process.arch} (${error.message.split('\n')[0]}): ` +
      'build the package where it runs',
    { cause: error },
  )
}

export const { SystemPromptCache, assemblePromptContent } = loaded
