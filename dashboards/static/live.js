/* Loads the numbers of this page again every five seconds, while somebody looks and has not paused it. What is
   the same as before is not sent again; tabs, open tables and the place of the keyboard stay. */
(() => {
  'use strict'
  const numbers = document.querySelector('[data-again]'), button = document.querySelector('button[data-pause]')
  let paused = false, tag = ''
  if (button) {
    button.hidden = false
    button.addEventListener('click', () => {
      paused = !paused
      button.setAttribute('aria-pressed', paused)
    })
  }
  const again = async () => {
    const at = numbers.contains(document.activeElement) ? document.activeElement : null
    if (paused || document.hidden || (at && !at.id)) return
    const answer = await fetch(numbers.dataset.again, {headers: {accept: 'text/html', 'if-none-match': tag || '""'}})
    if (!answer.ok) return
    tag = answer.headers.get('etag') || ''
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const fresh = page.querySelector('[data-again]')
    if (!fresh) return
    const chosen = [...numbers.querySelectorAll('input:checked')].map(one => one.id)
    const open = [...numbers.querySelectorAll('details')].map(one => one.open)
    numbers.replaceChildren(...fresh.childNodes)
    for (const one of numbers.querySelectorAll('input')) if (chosen.includes(one.id)) one.checked = true
    numbers.querySelectorAll('details').forEach((one, n) => { if (open[n]) one.open = true })
    if (at) document.getElementById(at.id)?.focus({preventScroll: true})
  }
  setInterval(() => again().catch(() => {}), 5000)
})()
