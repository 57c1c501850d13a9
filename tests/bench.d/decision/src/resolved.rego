# Whether a call may be recorded, where the law and the call are laid out as they are for Cedar.
package consent

default permitted := false

permitted if {
	count(input.here) > 0
	count(input.objecting) == 0
	not forbidden
	agreed
	in_writing
}

law := data.law[input.medium]

# A purpose of the call is forbidden of somebody who is on it.
forbidden if {
	some role in input.roles
	some purpose in input.purposes
	some ground in object.get(law.forbids, [role, purpose], [])
	ground in input.grounds
}

# One person's agreement is enough, whatever the purpose.
agreed if {
	count(input.agreed) > 0
	asked_for(["anything"]) == 1
}

# It is enough for these purposes, to a prompt that names no other.
agreed if {
	count(input.prompted) > 0
	prompt_counts
	asked == 1
}

agreed if {
	every number in input.here { number in input.prompted }
	prompt_counts
	asked <= 2
}

agreed if {
	every number in input.here { number in input.express }
	prompt_counts
}

in_writing if not writing_asked

in_writing if {
	prompt_counts
	every number in input.here { number in input.written }
}

writing_asked if {
	some purpose in input.purposes
	some ground in object.get(law.written_for, purpose, [])
	ground in input.grounds
}

# A prompt counts if it names all that the call is for, and says all that it has to.
prompt_counts if {
	names_all
	not lacking
}

names_all if count(input.told) == 0

names_all if {
	every purpose in input.purposes { purpose in input.told }
}

lacking if {
	some element in input.lacks
	some purpose in array.concat(["always"], input.purposes)
	some ground in object.get(law.says, [purpose, element], [])
	ground in input.grounds
}

# What is asked of a purpose alone is enough only if that is so of every purpose of the call and of the
# prompt; "anything" stands for all of them. The strictest of all grounds counts; one that the law does
# not know asks for the most.
asked := asked_for(array.concat(input.served, input.further))

asked_for(purposes) := max([object.get(law.asks[purpose], ground, 3) | some purpose in purposes; some ground in input.grounds])
