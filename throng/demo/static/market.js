/* The demo site's own script: the banner, the buttons, and a little single-page application. */
(function () {
  'use strict';
  var banner = document.getElementById('banner'), chosen = document.getElementById('chosen');
  var choices = {
    yes: { measurement: true, research: true, ad_measurement: true },
    no: { measurement: false, research: false, ad_measurement: false },
    some: { measurement: true, ad_measurement: false }
  };
  function show() {
    var now = window.throng && throng.consent ? throng.consent() : null;
    banner.hidden = !!now || location.pathname === '/privacy';
    if (chosen && now) chosen.textContent = now.measurement ? 'You have agreed' + (now.ad_measurement ? '.' : ', to measurement only.') : 'You have refused.';
  }
  document.addEventListener('click', function (e) {
    var b = e.target.closest('[data-choice]'), t = e.target.closest('[data-throng]'), a = e.target.closest('[data-spa]');
    if (b) { throng.consent(choices[b.dataset.choice]); show(); }
    if (t) { throng(t.dataset.throng, { skill: t.dataset.skill }); t.textContent = 'Done'; }
    if (a) {
      e.preventDefault();
      history.pushState(null, '', a.getAttribute('href'));
      document.getElementById('conversation').textContent = 'You and ' + a.textContent + ': nothing written yet.';
    }
    if (e.target.closest('.ad')) e.preventDefault();
  });
  if (document.body.dataset.event) throng(document.body.dataset.event);
  show();
})();
