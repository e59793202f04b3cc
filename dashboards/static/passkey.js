// Passkeys: the browser asks whoever sits at it; what it says goes back in the form. Nothing else is asked.
'use strict'
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0))
const text = data => btoa(String.fromCharCode(...new Uint8Array(data))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
const known = list => (list || []).map(one => ({...one, id: bytes(one.id)}))

function question(said) {
  const asked = {...said, challenge: bytes(said.challenge)}
  if (said.user) asked.user = {...said.user, id: bytes(said.user.id)}
  if (said.excludeCredentials) asked.excludeCredentials = known(said.excludeCredentials)
  if (said.allowCredentials) asked.allowCredentials = known(said.allowCredentials)
  return asked
}

function answer(made) {
  const response = {}
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (made.response[name]) response[name] = text(made.response[name])
  }
  return JSON.stringify({id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {}})
}

for (const form of document.querySelectorAll('form[data-passkey]')) {
  if (!window.PublicKeyCredential) continue
  form.hidden = false
  form.addEventListener('submit', async event => {
    event.preventDefault()
    const button = form.querySelector('button'), says = form.querySelector('[role=alert]')
    button.disabled = true
    try {
      const publicKey = question(JSON.parse(form.dataset.options))
      const made = await navigator.credentials[form.dataset.passkey]({publicKey})
      form.elements.credential.value = answer(made)
      form.submit()
    } catch (error) {
      says.textContent = error.name === 'InvalidStateError' ? form.dataset.there : form.dataset.wrong
      says.hidden = button.disabled = false
    }
  })
}
