"""What captures in documents of call markup, as readers of Python's see it.

A line of hexadecimal digits on the input is a document. A line of the output is a reader's name and, for each
document, 1 if it captures, 0 if it does not, and - if the reader does not read it.
"""

import sys
import xml.etree.ElementTree as expat

from lxml import etree

VERBS = ("record", "transcri", "stream", "siprec", "conversationrelay", "virtualagent", "aisession", "assistant",
         "autopilot", "include")
ANALYSE = ("intelligence", "sentiment", "conversationconfiguration", "conversationid")
HOW = {"recordingstatuscallback", "recordingstatuscallbackevent", "recordingstatuscallbackmethod", "recordingtrack",
       "recordingchannels", "transcriptionengine", "transcriptionlanguage", "transcriptionprovider"}


def plain(name):
    return name.rsplit("}", 1)[-1].rsplit(":", 1)[-1].lower().replace("ſ", "s").replace("ı", "i").replace("i̇", "i")


def captures(root):
    todo = [(root, None)]
    while todo:
        element, above = todo.pop()
        if not isinstance(element.tag, str):
            continue
        name, parent = plain(element.tag), plain(above) if above else ""
        stopped = above == "Stop" and element.tag in ("Recording", "Stream", "Siprec", "Transcription")
        begun = parent == "start" or (parent == "connect" and element.tag not in ("Room", "Conversation"))
        if not stopped and (begun or any(word in name for word in VERBS)):
            return True
        for key, value in element.attrib.items():
            key = plain(key)
            if key == "input" and value != "dtmf":
                return True
            named = "record" in key or "transcri" in key or any(word in key for word in ANALYSE)
            if named and key not in HOW and value not in ("false", "do-not-record"):
                return True
        todo.extend((child, element.tag) for child in element)
    return False


def by(read):
    def verdict(document):
        try:
            root = read(document)
        except Exception:
            return "-"
        return "-" if root is None else str(int(captures(root)))
    return verdict


def libxml2(**options):
    return lambda document: etree.fromstring(document, etree.XMLParser(no_network=True, huge_tree=True, **options))


def main():
    documents = [bytes.fromhex(line) for line in sys.stdin]
    readers = {
        "expat": by(expat.fromstring),
        "libxml2": by(libxml2(attribute_defaults=True, resolve_entities="internal")),
        "libxml2-that-repairs": by(libxml2(recover=True, attribute_defaults=True, resolve_entities="internal")),
    }
    for name, read in readers.items():
        print(name, "".join(map(read, documents)))


main()
