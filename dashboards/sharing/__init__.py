"""What people keep of pages and pass on: views, notes, links, files, alerts, mails (docs/sharing.md)."""
