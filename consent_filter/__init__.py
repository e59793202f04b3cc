"""What may exist, for whom, for how long. Imports nothing of ours; everything else imports it."""
