/* An editor that completes names, by keyboard, and remembers what was asked here. Works on what the page
   already is: without this script everything can be typed, asked and saved. */
(() => {
  'use strict'
  const area = document.querySelector('textarea[data-words]')
  if (!area) return
  const list = document.getElementById('words')
  const says = document.getElementById('words-say')
  const KEY = `throng-asked${area.dataset.page}`
  const MOST = 40
  let groups = [], loading = null, shown = [], at = -1, from = 0

  const load = () => loading ??= (async () => {
    const answer = await fetch(area.dataset.words, {headers: {accept: 'application/json'}})
    if (answer.ok) groups = (await answer.json()).tables
  })().catch(() => { loading = null })

  /* Names that fit what stands before the caret: columns of tables that the text names come first. */
  const fitting = () => {
    const before = area.value.slice(0, area.selectionStart)
    const [, table, word] = /(?:([\w]+)\.)?([\w]*)$/.exec(before)
    from = before.length - word.length
    const low = word.toLowerCase(), text = area.value.toLowerCase()
    const named = groups.filter(one => new RegExp(`\\b${one.name}\\b`).test(text))
    const found = new Map()
    const add = (name, note) => { if (!found.has(name)) found.set(name, note || '') }
    const columns = one => one.columns.forEach(c => add(c.name, c.says))
    if (table) groups.filter(one => one.name === table).forEach(columns)
    else {
      named.forEach(columns)
      groups.forEach(one => { if (!one.silent) add(one.name, one.says) })
      if (!named.length || low) groups.forEach(columns)
    }
    const all = [...found].filter(([name]) => name.toLowerCase() !== low)
    const begins = all.filter(([name]) => name.toLowerCase().startsWith(low))
    const holds = low.length > 1 ? all.filter(([name]) => name.toLowerCase().indexOf(low) > 0) : []
    return [...begins, ...holds].slice(0, 8)
  }

  const close = () => {
    shown = []; at = -1
    list.hidden = true
    list.replaceChildren()
    area.removeAttribute('aria-activedescendant')
    says.textContent = ''
  }

  const mark = n => {
    at = n
    list.querySelectorAll('li').forEach((item, i) => item.setAttribute('aria-selected', i === n))
    const chosen = list.children[n]
    if (!chosen) return area.removeAttribute('aria-activedescendant')
    area.setAttribute('aria-activedescendant', chosen.id)
  }

  const open = () => {
    shown = fitting()
    if (!shown.length) return close()
    list.replaceChildren(...shown.map(([name, note], i) => {
      const item = document.createElement('li')
      item.id = `word-${i}`
      item.setAttribute('role', 'option')
      item.setAttribute('aria-selected', 'false')
      const code = document.createElement('code'), text = document.createElement('span')
      code.textContent = name
      text.textContent = note.split(/[.:;]/)[0]
      item.append(code, text)
      item.addEventListener('mousedown', event => { event.preventDefault(); take(i) })
      return item
    }))
    list.hidden = false
    mark(-1)
    says.textContent = says.dataset.fit.replace('{n}', shown.length)
  }

  const take = n => {
    const name = shown[n][0]
    area.setRangeText(name, from, area.selectionStart, 'end')
    close()
    area.focus()
  }

  area.addEventListener('focus', load)
  area.addEventListener('input', async event => {
    await load()
    const typed = /[\w.]$/.test(area.value.slice(0, area.selectionStart))
    if (typed && event.inputType !== 'insertFromPaste') open()
    else close()
  })
  area.addEventListener('keydown', async event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      area.form.requestSubmit()
    } else if (event.key === ' ' && event.ctrlKey) {
      event.preventDefault()
      await load()
      open()
    } else if (!list.hidden && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault()
      mark((at + (event.key === 'ArrowDown' ? 1 : at < 0 ? 0 : -1) + shown.length) % shown.length)
    } else if (!list.hidden && (event.key === 'Tab' || (event.key === 'Enter' && at >= 0))) {
      event.preventDefault()
      take(Math.max(at, 0))
    } else if (!list.hidden && event.key === 'Escape') {
      event.preventDefault()
      close()
    }
  })
  area.addEventListener('blur', close)

  /* What was asked, the latest first; only here, in this browser. */
  const past = () => { try { return JSON.parse(localStorage.getItem(KEY)) || [] } catch { return [] } }
  const remember = texts => { try { localStorage.setItem(KEY, JSON.stringify(texts.slice(0, MOST))) } catch {} }
  if (area.dataset.answered && area.defaultValue.trim()) {
    const text = area.defaultValue.trim()
    remember([text, ...past().filter(one => one !== text)])
  }
  const history = document.getElementById('history')
  const show = () => {
    const texts = past()
    history.hidden = !texts.length
    history.querySelector('ol').replaceChildren(...texts.slice(0, 12).map(text => {
      const item = document.createElement('li'), link = document.createElement('a')
      link.href = `${area.dataset.page}?q=${encodeURIComponent(text)}`
      link.textContent = text.replace(/\s+/g, ' ').slice(0, 90)
      item.append(link)
      return item
    }))
  }
  history.querySelector('button').addEventListener('click', () => { remember([]); show(); area.focus() })
  show()
})()
