// What a program of `dev/` was asked on its command line.

import { parseArgs } from 'node:util'

/**
 * The values of these options. Prints `usage` and ends for `--help`; ends with status 2 for an option that is none.
 *
 * @param {string} command as it is typed: `npm run load`
 * @param {string} usage
 * @param {import('node:util').ParseArgsConfig['options']} options
 */
export function argumentsOf(command, usage, options) {
  let values
  try {
    const help = { type: 'boolean', short: 'h', default: false }
    values = parseArgs({ options: { ...options, help } }).values
  } catch (error) {
    refuse(`${error.message.split('. ')[0]}. Try ${command} -- --help`)
  }
  if (values.help) {
    console.log(usage)
    process.exit(0)
  }
  return values
}

/** An option as a whole number within these bounds; ends with status 2 if it is none. */
export function wholeNumber(values, name, least, most) {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= least && number <= most) return number
  return refuse(
    `--${name} is "${values[name]}": it must be a whole number from ${least} to ${most}`,
  )
}

/** An option as some of these names, with commas; all of them if it is empty. Ends with status 2 for a name that is none. */
export function someOf(values, name, names) {
  const wanted = values[name] === '' ? names : values[name].split(',')
  if (wanted.every((each) => names.includes(each))) return wanted
  return refuse(`--${name} is "${values[name]}": it must be some of ${names.join(', ')}`)
}

/** Ends the program over what it was asked. */
export function refuse(words) {
  console.error(words)
  process.exit(2)
}
