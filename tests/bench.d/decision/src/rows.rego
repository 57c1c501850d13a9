# Whether a call may be recorded.
package consent

default permitted := false

permitted if {
	count(here) > 0
	every person in here { not person.objects }
	not forbidden
	agreed
	in_writing
}

here := [person | some person in input.participants; not person.left]

# A purpose of the call is forbidden of somebody who is on it.
forbidden if {
	some rule in rules
	some purpose in input.purposes
	some person in here
	person.role in object.get(rule, ["forbids", purpose], [])
}

# One person's agreement is enough, whatever the purpose.
agreed if {
	most == 1
	some person in here
	person.agrees
}

# It is enough for these purposes, to a prompt that names no other.
agreed if {
	asked == 1
	prompt_counts
	some person in here
	person.prompted
}

agreed if {
	asked <= 2
	prompt_counts
	every person in here { person.prompted }
}

agreed if {
	prompt_counts
	every person in here {
		person.prompted
		person.agrees
	}
}

in_writing if not writing_asked

in_writing if {
	prompt_counts
	every person in here {
		person.prompted
		person.agrees
		person.written
	}
}

writing_asked if {
	some rule in rules
	some purpose in object.get(rule, "written_for", [])
	purpose in input.purposes
}

# A prompt counts if it names all that the call is for, and says all that it has to.
prompt_counts if {
	names_all
	count(unsaid) == 0
}

names_all if count(input.prompt.purposes) == 0

names_all if {
	every purpose in input.purposes { purpose in input.prompt.purposes }
}

unsaid contains element if {
	some rule in rules
	some purpose in array.concat(["always"], input.purposes)
	some element in object.get(rule, ["says", purpose], [])
	not element in input.prompt.says
}

# What is asked of a purpose alone is enough only if that is so of every purpose of the call and of the
# prompt. The strictest of all rules counts.
asked := max([asked_for(input.purposes), asked_for(input.prompt.purposes)])

# Naming no purpose means every purpose.
asked_for(purposes) := most if {
	count(purposes) == 0
} else := max([object.get(rule, ["form_for", purpose], rule.form) | some rule in rules; some purpose in purposes])

most := max(forms)

forms contains 1

forms contains rule.form if some rule in rules

forms contains form if {
	some rule in rules
	some form in object.get(rule, "form_for", {})
}

# The rules that count.
rules contains rule if {
	some code in input.premises
	some rule in place_rules(code)
}

rules contains data.law.default if {
	some person in input.participants
	count(person.places) == 0
}

rules contains rule if {
	some person in input.participants
	some place in person.places
	not told_apart(person, place.code)
	some rule in place_rules(place.code)
}

rules contains data.law.floors[trust] if {
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
place_rules(code) := {row(each).asks[input.medium] | some each in [code, country(code)]} if {
	count(code) > 2
	row(code)
} else := states_ask(code) | {row(country(code)).asks[input.medium]} if {
	row(country(code)).strictest_when_unknown
} else := {row(country(code)).asks[input.medium]} if {
	row(country(code))
} else := {data.law.default}

states_ask(code) := {row(state).asks[input.medium] |
	some state, _ in data.law.rows
	startswith(state, concat("", [country(code), "-"]))
}

country(code) := substring(code, 0, 2)

# The row in force on the day; the rows of a code are sorted, the newest first.
row(code) := [version | some version in data.law.rows[code]; version.from <= input.day][0]
