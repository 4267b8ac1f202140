;;; SPDX-License-Identifier: MIT
;;; sbcl --script hot.lisp ROUNDS: functions compiled while it runs, each called for a while.
(let ((rounds (parse-integer (car (last sb-ext:*posix-argv*)))) (sum 0))
  (dotimes (r rounds)
    (let ((f (compile nil `(lambda (n)
                             (declare (fixnum n) (optimize (speed 1)))
                             (let ((s ,r))
                               (declare (fixnum s))
                               (dotimes (i n s)
                                 (setf s (mod (+ (* s 31) (logxor i ,r)) 1000003))))))))
      (setf sum (mod (+ sum (funcall f 300000)) 1000003))))
  (format t "~d~%" sum))
