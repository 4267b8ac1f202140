# SPDX-License-Identifier: MIT
# ruby --yjit hot.rb METHODS: keeps YJIT busy: methods are defined, become hot, are thrown away.
# Each compiled block makes YJIT's whole code region (128 MiB) writable and executable again.
total = 0
Integer(ARGV[0]).times do |round|
  Object.class_eval <<~RUBY
    def step_#{round}(x)
      if x % #{round % 7 + 2} == 0 then (x * #{round % 97 + 3} + #{round}) % 1000003
      else (x ^ #{round}) % 1000003
      end
    end
    def hot_#{round}(x)
      i = 0
      while i < 3000
        x = step_#{round}(x)
        i += 1
      end
      x
    end
  RUBY
  x = round
  10.times { x = send(:"hot_#{round}", x) }
  # Each thousandth of the methods stays.
  Object.send(:undef_method, :"step_#{round}", :"hot_#{round}") unless round % 1000 == 0
  total += x
end
puts total
