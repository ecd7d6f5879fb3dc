.PHONY: demo gallery test test-fast bench bench-plans bench-writes bench-broadcasts bench-delivery bench-streams bench-faults bench-page

demo:
	@python3 scripts/demo.py

gallery:
	@python3 scripts/gallery.py

test:
	@python3 scripts/test.py

test-fast:
	@python3 scripts/test.py --fast

bench:
	@python3 scripts/bench.py

bench-plans:
	@python3 scripts/bench.py plans

bench-writes:
	@python3 scripts/bench.py writes

bench-broadcasts:
	@python3 scripts/bench.py broadcasts

bench-delivery:
	@python3 scripts/bench.py delivery

bench-streams:
	@python3 scripts/bench.py streams

bench-faults:
	@python3 scripts/bench.py faults

bench-page:
	@python3 scripts/bench.py page
