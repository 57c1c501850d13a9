# Whether a call may be recorded.
package consent

default permitted := false

permitted if {
	count(here) > 0
	every person in here { not person.objects }
	agreed
}

here := [person | some person in input.participants; not person.left]

agreed if {
	asked == 1
	some person in here
	person.level >= 1
}

agreed if {
	asked > 1
	every person in here { person.level >= asked }
}

# The strictest of all places counts.
asked := max(asks)

asks contains 1

asks contains place_asks(code) if some code in input.premises

asks contains data.law.default if {
	some person in input.participants
	count(person.places) == 0
}

asks contains place_asks(place.code) if {
	some person in input.participants
	some place in person.places
	not told_apart(person, place.code)
}

asks contains data.law.floors[trust] if {
	some person in input.participants
	some place in person.places
	not told_apart(person, place.code)
	trust := max([same.trust | some same in person.places; same.code == place.code])
}

# A country says nothing beside one of its states.
told_apart(person, code) if {
	count(code) == 2
	some other in person.places
	startswith(other.code, concat("", [code, "-"]))
}

# A state with a row, and its country.
place_asks(code) := max([row(each).asks[input.medium] | some each in [code, country(code)]]) if {
	count(code) > 2
	row(code)
} else := max({row(country(code)).asks[input.medium]} | states_ask(code)) if {
	row(country(code)).strictest_when_unknown
} else := row(country(code)).asks[input.medium] if {
	row(country(code))
} else := data.law.default

states_ask(code) := {row(state).asks[input.medium] |
	some state, _ in data.law.rows
	startswith(state, concat("", [country(code), "-"]))
}

country(code) := substring(code, 0, 2)

# The row in force on the day; the rows of a code are sorted, the newest first.
row(code) := [version | some version in data.law.rows[code]; version.from <= input.day][0]
