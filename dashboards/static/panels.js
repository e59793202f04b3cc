/* Lists that are counted while the page is there already: one after the other, each put where it belongs.
   Without this script each has a link to a page of its own. */
(() => {
  'use strict'
  const waiting = [...document.querySelectorAll('[data-panel]')]
  const seen = place => { const box = place.getBoundingClientRect(); return box.height > 0 && box.top < innerHeight }
  const fill = async place => {
    const says = place.querySelector('[role=status]')
    try {
      const answer = await fetch(place.dataset.panel, {headers: {accept: 'text/html'}})
      place.innerHTML = await answer.text()
    } catch {
      says.textContent = says.dataset.broken
    }
    place.removeAttribute('data-panel')
  }
  const go = async () => {
    while (waiting.length) {
      const next = waiting.findIndex(seen)
      await fill(waiting.splice(Math.max(next, 0), 1)[0])
    }
  }
  go()
})()
