# Whether a call may be recorded, where the law and the call are laid out as they are for Cedar.
package consent

default permitted := false

permitted if {
	count(input.asserted) > 0
	count(input.objecting) == 0
	agreed
}

agreed if asked == 1

agreed if {
	asked == 2
	every number in input.here { number in input.prompted }
}

agreed if {
	asked == 3
	every number in input.here { number in input.express }
}

# The strictest of all places counts; a code that the law does not know asks for the most.
asked := max({1} | by_places | by_evidence)

by_places := {object.get(data.law.places[input.medium], code, 3) | some code in input.places}

by_evidence := {data.law.evidence[evidence] | some evidence in input.evidence}
