// Numbers and times as they are read.

export const count = (number) => number.toLocaleString('en')

export const times = (number) => (number === 1 ? 'once' : `${count(number)} times`)

export const share = (part) => {
  if (part === null) return 'none yet'
  // Never rounded up to all.
  return part === 1 ? '100 %' : `${(Math.floor(part * 1000) / 10).toFixed(1)} %`
}

export function ms(milliseconds) {
  if (milliseconds === null) return 'unknown'
  if (milliseconds === 0) return '0 ms'
  const digits = milliseconds < 1 ? 2 : milliseconds < 10 ? 1 : 0
  return `${milliseconds.toFixed(digits)} ms`
}

export function ago(milliseconds) {
  return milliseconds < 1000 ? 'just now' : `${duration(milliseconds)} ago`
}

export function duration(milliseconds) {
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`
}

export const shortId = (id) => id.slice(0, 8)

export function time(stamp) {
  return new Date(stamp).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
}
