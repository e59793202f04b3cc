/* Loads the numbers of this page again every five seconds, while somebody looks and has not paused it. */
(() => {
  'use strict'
  const numbers = document.querySelector('[data-again]'), button = document.querySelector('button[data-pause]')
  let paused = false
  button.hidden = false
  button.addEventListener('click', () => {
    paused = !paused
    button.setAttribute('aria-pressed', paused)
  })
  const again = async () => {
    if (paused || document.hidden || numbers.contains(document.activeElement)) return
    const answer = await fetch(numbers.dataset.again, {headers: {accept: 'text/html'}})
    if (!answer.ok) return
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const fresh = page.querySelector('[data-again]')
    if (fresh) numbers.replaceChildren(...fresh.childNodes)
  }
  setInterval(() => again().catch(() => {}), 5000)
})()
