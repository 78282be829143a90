"""A practice gateway: a process of its own that speaks Twilio's Messages API and plays the citizens behind it."""
