"""Twilio's Messages API, its receipts, its inbound texts and its signatures."""
