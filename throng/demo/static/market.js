/* The demo site's own script: the buttons, and a little single-page application. */
(function () {
  'use strict';
  document.addEventListener('click', function (e) {
    var t = e.target.closest('[data-throng]'), a = e.target.closest('[data-spa]');
    if (t) { throng(t.dataset.throng, { skill: t.dataset.skill }); t.textContent = 'Done'; }
    if (a) {
      e.preventDefault();
      history.pushState(null, '', a.getAttribute('href'));
      document.getElementById('conversation').textContent = 'You and ' + a.textContent + ': nothing written yet.';
    }
    if (e.target.closest('.ad')) e.preventDefault();
  });
  if (document.body.dataset.event) throng(document.body.dataset.event);
})();
